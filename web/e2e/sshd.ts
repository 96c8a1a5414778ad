import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

const program = ['/usr/sbin/sshd', '/usr/local/sbin/sshd'].find(existsSync);

/** Whether there is an OpenSSH server to test with. CI does not go without. */
export const hasSshd = program !== undefined || process.env.MCIC_REQUIRE_SSHD !== undefined;

/** Sshd is a real OpenSSH server on the loopback address, which lets in who runs the tests. */
export class Sshd {
  readonly user = userInfo().username;
  private readonly dir = mkdtempSync(join(tmpdir(), 'mcic-sshd-'));
  private readonly server: Server;
  private readonly processes = new Set<ChildProcess>();

  constructor() {
    this.newHostKey();
    this.authorize('');
    writeFileSync(
      join(this.dir, 'config'),
      `HostKey ${this.dir}/host_key
AuthorizedKeysFile ${this.dir}/authorized_keys
AuthenticationMethods publickey
PermitRootLogin prohibit-password
UsePAM no
StrictModes no
PrintMotd no
PrintLastLog no
PidFile none
`,
    );
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true }); // which only its service makes
    // Each connection has a process of its own, as with inetd: so the kernel chooses the port.
    this.server = createServer({ pauseOnConnect: true }, (socket) => this.serve(socket));
  }

  private serve(socket: Socket) {
    const child = spawn(program ?? 'sshd', ['-i', '-f', join(this.dir, 'config'), '-E', join(this.dir, 'log')], {
      stdio: [socket, socket, 'ignore'],
      detached: true,
    });
    this.processes.add(child);
    child.on('exit', () => {
      this.processes.delete(child);
      socket.destroy();
    });
    child.on('error', (cause) => {
      throw cause;
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `${this.user}@127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  newHostKey() {
    rmSync(join(this.dir, 'host_key'), { force: true });
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(this.dir, 'host_key')]);
  }

  authorize(line: string) {
    writeFileSync(join(this.dir, 'authorized_keys'), `${line}\n`, { mode: 0o600 });
  }

  stop() {
    this.server.close();
    for (const child of this.processes) if (child.pid) process.kill(-child.pid, 'SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}
