// Signing in with a wallet of the browser (EIP-1193): the server gives a text, the wallet signs it, nothing is paid.
import { postJson } from './client';
import { Problem } from './problem';

export interface WalletProvider {
  request(call: { method: string; params?: readonly unknown[] }): Promise<unknown>;
}

export function findWallet(): WalletProvider | null {
  const found = (window as { ethereum?: WalletProvider }).ethereum;
  return typeof found?.request === 'function' ? found : null;
}

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const REFUSED_BY_USER = 4001;   // EIP-1193

export function hexOfText(text: string): string {
  return `0x${[...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

async function ask(wallet: WalletProvider, method: string, params: readonly unknown[]): Promise<unknown> {
  try {
    return await wallet.request({ method, params });
  } catch (error) {
    const refused = (error as { code?: unknown } | null)?.code === REFUSED_BY_USER;
    throw new Problem(0, refused ? 'wallet_refused' : 'wallet_failed', '');
  }
}

export async function signInWithWallet(wallet: WalletProvider): Promise<void> {
  const accounts = await ask(wallet, 'eth_requestAccounts', []);
  const address: unknown = Array.isArray(accounts) ? accounts[0] : undefined;
  if (typeof address !== 'string' || !ADDRESS.test(address)) throw new Problem(0, 'wallet_no_account', '');
  const nonce = await postJson<{ message: string }>('/api/v1/auth/nonce', { address });
  const signature = await ask(wallet, 'personal_sign', [hexOfText(nonce.message), address]);
  if (typeof signature !== 'string') throw new Problem(0, 'wallet_failed', '');
  await postJson('/api/v1/auth/wallet', { address, signature, message: nonce.message });
}
