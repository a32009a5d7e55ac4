import { run } from '../../process/run.js';

/** Whether a bcrypt hash is the password's: by the C library, not by the product that has made it. */
export async function verifiesPassword(password: string, hash: string): Promise<boolean> {
  const script =
    'my ($hash, $password) = map { chomp; $_ } <STDIN>; print crypt($password, $hash) eq $hash ? "yes" : "no"';
  const { stdout } = await run('perl', ['-e', script], { input: `${hash}\n${password}\n` });
  return stdout === 'yes';
}
