import { render } from 'preact';
import './styles/base.css';
import { loadSession } from './api/session';
import { App } from './app';

void loadSession();
render(<App />, document.getElementById('console')!);
