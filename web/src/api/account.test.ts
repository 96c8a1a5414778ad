import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { account } from './account';
import { ApiError, accept, asksForCode, login, logout, ways } from './client';

type Asked = { method: string; path: string; body: unknown };

let asked: Asked[] = [];
let answers: [status: number, body?: unknown][] = [];

beforeEach(() => {
  asked = [];
  // Node knows no addresses relative to a page.
  vi.stubGlobal(
    'Request',
    class extends Request {
      constructor(path: string, init: RequestInit) {
        super(new URL(path, 'http://server'), init);
      }
    },
  );
  vi.stubGlobal('fetch', async (request: Request) => {
    const text = await request.text();
    asked.push({
      method: request.method,
      path: new URL(request.url).pathname,
      body: text ? JSON.parse(text) : undefined,
    });
    const [status, body] = answers.shift() ?? [500];
    const headers = { 'Content-Type': status < 300 ? 'application/json' : 'application/problem+json' };
    return new Response(body === undefined ? null : JSON.stringify(body), { status, headers });
  });
});

afterEach(() => vi.unstubAllGlobals());

const problem = (status: number, field?: string) =>
  [status, { detail: 'no', fields: field ? [{ field, message: 'is needed' }] : undefined }] as [number, unknown];

it('a login is asked for a code, and sends it', async () => {
  answers = [problem(401, 'code'), [200, { until: 'later', user: 'anna', dev: false }]];
  const refused = await login({ user: 'anna', password: 'secret' }).catch((e: unknown) => e);
  expect(asksForCode(refused)).toBe(true);
  expect((await login({ user: 'anna', password: 'secret', code: '123456' })).user).toBe('anna');
  expect(asked.map((a) => a.body)).toEqual([
    { user: 'anna', password: 'secret' },
    { user: 'anna', password: 'secret', code: '123456' },
  ]);
});

it('another refusal asks for no code', async () => {
  answers = [problem(401), problem(422, 'code')];
  for (let i = 0; i < 2; i++) expect(asksForCode(await login({ token: 'x' }).catch((e: unknown) => e))).toBe(false);
});

it('a server that does not tell how to log in knows passwords', async () => {
  answers = [
    problem(404),
    [200, { passwords: false, singleSignOn: { name: 'Corp', path: '/v1/session/sso' } }],
    problem(503),
  ];
  expect(await ways()).toEqual({ passwords: true });
  expect((await ways()).singleSignOn?.name).toBe('Corp');
  await expect(ways()).rejects.toBeInstanceOf(ApiError);
});

it('an invitation and a second step are sent as the server takes them', async () => {
  answers = [
    [200, { user: 'anna' }],
    [200, { secret: 'JBSW', uri: 'otpauth://totp/mcic:anna?secret=JBSW' }],
    [200, { recoveryCodes: ['a', 'b'] }],
    [200, { ok: true }],
  ];
  expect(await accept('code', 'new one')).toEqual({ user: 'anna' });
  expect((await account.beginSecondStep('pw')).secret).toBe('JBSW');
  expect((await account.confirmSecondStep('123456')).recoveryCodes).toEqual(['a', 'b']);
  await account.removeSecondStep('pw', '654321');
  expect(asked).toEqual([
    { method: 'POST', path: '/v1/invitation', body: { code: 'code', password: 'new one' } },
    { method: 'POST', path: '/v1/me:totp', body: { password: 'pw' } },
    { method: 'POST', path: '/v1/me:totp-confirm', body: { code: '123456' } },
    { method: 'POST', path: '/v1/me:totp-remove', body: { password: 'pw', code: '654321' } },
  ]);
});

it('a logout says where the browser logs out of single sign-on', async () => {
  answers = [[204], [200, { logoutAt: 'https://sso.example.com/logout' }]];
  expect([await logout(), await logout()]).toEqual([undefined, 'https://sso.example.com/logout']);
});
