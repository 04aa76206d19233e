/** Runs once before all test files; the store tests add their server here. */
export async function setup(): Promise<void> {}
