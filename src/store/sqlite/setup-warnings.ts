/** File systems by the magic numbers that statfs reports (linux/magic.h). */
const NETWORK = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9p'],
]);
const TMPFS = 0x01021994;
const OVERLAYFS = 0x794c7630;

/** What an operator should know about the file system under `directory`, by its magic number. */
export function fileSystemWarnings(directory: string, magic: number): readonly string[] {
  const network = NETWORK.get(magic);
  if (network !== undefined) {
    return [`${directory} is on a network file system (${network}), where SQLite can lose data: use a local disk.`];
  }
  if (magic === TMPFS) return [`${directory} is in memory (tmpfs), so that a restart forgets all runs: use a disk.`];
  if (magic === OVERLAYFS) {
    return [`${directory} belongs to the container and goes away with it: mount a volume there.`];
  }
  return [];
}
