/** Time as the engine sees it; real or virtual. */
export interface Clock {
  /** Epoch milliseconds. */
  nowMs(): number;
  /** Runs `callback` after `delayMs`; the returned function cancels it. */
  schedule(delayMs: number, callback: () => void): () => void;
}
