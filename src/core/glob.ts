/** Whether `text` matches `glob`, in which `*` stands for any run of characters and `?` for one. Case matters. */
export function matchesGlob(glob: string, text: string): boolean {
  // By characters: an emoji is two code units, but one `?`.
  return matches([...glob], [...text]);
}

/** Greedy match with one remembered star: linear in practice and never exponential, unlike a regular expression. */
function matches(glob: readonly string[], text: readonly string[]): boolean {
  let at = 0;
  let globAt = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (at < text.length) {
    const expected = glob[globAt];
    if (expected === '*') {
      starAt = globAt;
      resumeAt = at;
      globAt += 1;
    } else if (expected === '?' || (expected !== undefined && expected === text[at])) {
      globAt += 1;
      at += 1;
    } else if (starAt >= 0) {
      resumeAt += 1;
      at = resumeAt;
      globAt = starAt + 1;
    } else {
      return false;
    }
  }
  while (glob[globAt] === '*') globAt += 1;
  return globAt === glob.length;
}

export function matchesAnyGlob(globs: readonly string[], text: string): boolean {
  return globs.some((glob) => matchesGlob(glob, text));
}
