// Every sentence of the console. A second language is a second file of this type.
import type { Detail, Problem } from './api/problem';

const plural = new Intl.PluralRules('en');
const count = (n: number, one: string, other: string) => `${n.toLocaleString('en')} ${plural.select(n) === 'one' ? one : other}`;

export const en = {
  product: 'AgentAuri',
  pageTitle: (page: string) => `${page} · AgentAuri`,
  skip: 'Skip to content',
  loading: 'Loading…',
  retry: 'Try again',
  nav: { label: 'Main', triggers: 'Triggers', account: 'Account', signOut: 'Sign out', signedInAs: 'Signed in as', licences: 'Licences' },
  notFound: { title: 'No such page', text: 'There is nothing at this address.', back: 'To the triggers' },

  signIn: {
    title: 'Sign in',
    identifier: 'User name or e-mail',
    password: 'Password',
    submit: 'Sign in',
    wallet: 'Sign in with a wallet',
    walletHint: 'Your wallet signs a text. Nothing is sent to a chain, and nothing is paid.',
    noWallet: 'No wallet was found in this browser. Install one that speaks EIP-1193, or use a password.',
    waitingForWallet: 'Waiting for the wallet…',
    noAccount: 'No account yet?',
    register: 'Register',
    insecure: 'This page came over plain http from another machine: browsers may drop the session. Use https, or http://localhost.',
  },
  register: {
    title: 'Register',
    username: 'User name',
    usernameHint: '3 to 50 characters',
    email: 'E-mail',
    password: 'Password',
    invitation: 'Invitation',
    invitationHint: 'Begins with inv_. Whoever runs this server gives it to you.',
    closed: 'Registration is closed: whoever runs this server makes the accounts.',
    submit: 'Create account',
    hasAccount: 'Already registered?',
    signIn: 'Sign in',
  },
  account: {
    title: 'Account',
    username: 'User name',
    email: 'E-mail',
    organizations: 'Organizations',
    changePassword: 'Change password',
    current: 'Current password',
    next: 'New password',
    submit: 'Change password',
    changed: (ended: number) => `Password changed. ${ended === 0 ? 'No other session was open.' : `${count(ended, 'other session was', 'other sessions were')} ended.`}`,
  },
  password: {
    show: 'Show',
    hide: 'Hide',
    rules: 'The password',
    met: 'met',
    notMet: 'not met yet',
    checkedLater: 'checked when you send it',
    // What only the server can tell is worded as a wish, not as a verdict. Other rules have the words of the policy.
    ruleTexts: { password_too_common: 'Not one of the passwords that many people use' } as Readonly<Record<string, string>>,
    strength: 'Strength',
    levels: ['very weak', 'weak', 'fair', 'good', 'strong'],
    none: 'nothing typed yet',
  },

  triggers: {
    title: 'Triggers',
    empty: 'No triggers yet. Make the first one with POST /api/v1/triggers.',
    caption: 'Triggers, newest first',
    name: 'Name',
    registry: 'Registry',
    chain: 'Chain',
    everyChain: 'every chain',
    status: 'Status',
    lastDelivery: 'Last delivery',
    noDelivery: 'none yet',
    showing: (shown: number, total: number) => (shown === total ? count(total, 'trigger', 'triggers') : `${shown} of ${count(total, 'trigger', 'triggers')}`),
    previous: 'Newer',
    next: 'Older',
    pages: 'Pages',
  },
  trigger: {
    back: 'All triggers',
    fallbackTitle: 'Trigger',
    about: 'About',
    id: 'Id',
    created: 'Created',
    error: 'Last evaluation failed',
    conditions: 'Conditions',
    noConditions: 'None: every event of the registry fires it.',
    conditionLine: (field: string, operator: string, value: string) => `${field} ${operator} ${value}`,
    actions: 'Actions',
    noActions: 'None: nothing is sent.',
    actionDisabled: 'Switched off',
    deliveries: 'Last deliveries',
    noDeliveries: 'Nothing was sent yet. Deliveries appear here as they happen.',
    live: 'Update by itself',
    refresh: 'Refresh',
    newDeliveries: (n: number) => count(n, 'new delivery', 'new deliveries'),
    showing: (shown: number, total: number) => `${shown} of ${count(total, 'delivery', 'deliveries')}`,
  },
  delivery: {
    title: (id: string) => `Delivery ${id}`,
    event: 'Event',
    chainBlock: (chain: string, block: string) => `chain ${chain}, block ${block}`,
    orphaned: 'Its block has left the chain.',
    reason: 'Reason',
    next: 'Next attempt',
    explanation: 'Why it fired',
    noExplanation: 'No explanation was kept.',
    attempts: 'Attempts',
    noAttempts: 'None yet.',
    attempt: 'Attempt',
    outcome: 'Outcome',
    answer: 'Answer',
    took: 'Took',
    started: 'Started',
    excerpt: 'What the receiver said',
    noAnswer: 'no answer',
    running: 'under way',
  },
  status: {
    enabled: 'On',
    disabled: 'Off',
    failing: 'Failing',
    held: 'Waiting for confirmations',
    pending: 'Waiting',
    leased: 'Being sent',
    succeeded: 'Delivered',
    dead: 'Given up',
    cancelled: 'Cancelled',
    expired: 'Expired',
    ok: 'Delivered',
    refused: 'Not connected',
    network: 'Connection broke',
    http: 'Refused by receiver',
    unknown: 'No answer',
    passed: 'Passed',
    failed: 'Did not pass',
    error: 'Error',
  } as Readonly<Record<string, string>>,
  hash: { copy: 'Copy', copied: 'Copied', cannotCopy: 'Select the text to copy it: browsers allow this button on https only.' },
  untrusted: { mixedScripts: 'letters of different scripts', hidden: (token: string) => `hidden character ${token}` },
  form: { summary: 'Please check:', required: 'Please fill in this field.', email: 'Please write an e-mail address.' },

  problem: (problem: Problem): string => {
    const wait = problem.retryAfterSeconds === null ? '' : ` Try again in ${count(problem.retryAfterSeconds, 'second', 'seconds')}.`;
    switch (problem.code) {
      case 'unreachable':
        return 'The server did not answer. Is it running, and are you online?';
      case 'invalid_credentials':
        return 'User name, e-mail or password is wrong.';
      case 'account_disabled':
        return 'This account is disabled.';
      case 'account_locked':
        return `Too many wrong passwords: the account is locked for a while.${wait}`;
      case 'rate_limited':
        return `Too many tries.${wait}`;
      case 'username_exists':
        return 'This user name is taken.';
      case 'email_exists':
        return 'There is an account with this e-mail already.';
      case 'invitation_required':
      case 'invitation_invalid':
        return 'This invitation is not, or no longer, good for this e-mail address.';
      case 'registration_closed':
        return en.register.closed;
      case 'wallet_refused':
        return 'The wallet was asked and refused.';
      case 'wallet_no_account':
        return 'The wallet named no account.';
      case 'wallet_failed':
        return 'The wallet could not sign.';
      case 'invalid_nonce':
        return 'The text to sign has expired. Please start again.';
      case 'signature_mismatch':
        return 'The signature is not of this account.';
      case 'not_found':
        return 'It does not exist, or belongs to somebody else.';
      case 'validation_error':
        return 'Something is not accepted as it is.';
      default:
        return problem.message === '' ? `The server answered ${problem.status}.` : problem.message;
    }
  },
  requestId: (id: string) => `Request id ${id}`,
  // Rules are worded by the server, which knows its policy.
  detail: (detail: Detail): string => detail.message || detail.code,
};
