import { send } from './client';

/** Begun is a second step that is not confirmed yet: its secret, as text and as what apps read. */
export type Begun = { secret: string; uri: string };

/** What one changes of oneself. Each asks for the password again. */
export const account = {
  changePassword: (old: string, fresh: string) => send<unknown>('POST', '/v1/me:password', { old, new: fresh }),
  beginSecondStep: (password: string) => send<Begun>('POST', '/v1/me:totp', { password }),
  confirmSecondStep: (code: string) => send<{ recoveryCodes: string[] }>('POST', '/v1/me:totp-confirm', { code }),
  removeSecondStep: (password: string, code: string) => send<unknown>('POST', '/v1/me:totp-remove', { password, code }),
};
