/** The way out: health goes down, calls in flight end, and what does not end in time is ended. */
import type { Clock } from '../ports/clock.ts';
import type { HealthState } from './health/health-state.ts';

/** A port that takes calls. */
export interface Door {
  /** Takes no more connections, and settles when the last call was answered. */
  drain(): Promise<unknown>;
  /** Ends whatever is still open. Harmless afterwards, and before anything was opened. */
  destroy(): void;
}

export interface DrainOptions {
  readonly clock: Clock;
  readonly health: HealthState;
  readonly doors: readonly Door[];
  /** How long calls are still taken after health has gone down, for gateways to notice. */
  readonly delayMillis: number;
  /** How long calls in flight may take. */
  readonly timeoutMillis: number;
}

export async function drain({ clock, health, doors, delayMillis, timeoutMillis }: DrainOptions): Promise<void> {
  health.setReason('draining', true);
  if (delayMillis > 0) await new Promise<void>((resolve) => clock.after(delayMillis, resolve));
  await new Promise<void>((resolve) => {
    const patience = clock.after(timeoutMillis, resolve);
    // One that fails to end gently is ended below; the others are waited for all the same.
    void Promise.allSettled(doors.map((door) => door.drain())).then(() => {
      patience.cancel();
      resolve();
    });
  });
  for (const door of doors) door.destroy();
}
