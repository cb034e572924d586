import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { Problem } from './problem';
import { endSession } from './session';

export interface Resource<T> {
  data: T | null;   // the last good answer stays while another one is asked for
  problem: Problem | null;
  isLoading: boolean;
  reload: () => void;
}

// Loads when `key` changes, and again each `everyMs` (null: never) while the page can be seen. Of answers that overtake
// each other the one that was asked for last counts.
export function useResource<T>(key: string, load: () => Promise<T>, everyMs: number | null = null): Resource<T> {
  const [data, setData] = useState<{ key: string; value: T } | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isLoading, setLoading] = useState(true);
  const asked = useRef(0);
  const loader = useRef(load);
  loader.current = load;

  const reload = useCallback(async () => {
    const mine = ++asked.current;
    setLoading(true);
    try {
      const value = await loader.current();
      if (mine !== asked.current) return;
      setData({ key, value });
      setProblem(null);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (mine !== asked.current) return;
      if (error.status === 401) endSession();
      setProblem(error);
    }
    setLoading(false);
  }, [key]);

  useEffect(() => {
    setProblem(null);
    void reload();
    return () => void ++asked.current;
  }, [reload]);
  useEffect(() => {
    if (everyMs === null) return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void reload();
    }, everyMs);
    return () => clearInterval(timer);
  }, [reload, everyMs]);

  return { data: data?.key === key ? data.value : null, problem, isLoading, reload: () => void reload() };
}
