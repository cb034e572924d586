import { answered, api, type Schemas } from './client';
import { useResource } from './use-resource';

export type Policy = Schemas['PasswordPolicyResponse'];

// What the server asks of passwords, and who may register; null until it has said.
export function usePolicy(): Policy | null {
  return useResource('policy', () => answered(api.GET('/api/v1/auth/password-policy'))).data;
}
