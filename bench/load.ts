/** Closed-loop load: so many calls in flight, each answer checked and at once followed by the next call. */
import { Connection } from './h2/connection.ts';
import { type Call, problemOf } from './h2/exchange.ts';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
}

/** What a closed loop asks next; undefined ends one of its lanes. */
export type NextCall = () => Call | undefined;

/** @param code what was answered, which is what had to be */
export type OnAnswer = (millis: number, code: number) => void;

export class Load {
  readonly connections: readonly Connection[];

  private constructor(connections: readonly Connection[]) {
    this.connections = connections;
  }

  static async open({ port, connections }: LoadOptions): Promise<Load> {
    return new Load(await Promise.all(Array.from({ length: connections }, () => Connection.open(port))));
  }

  /**
   * Settles when `next` has ended every lane, and so no call is in flight.
   * @param inflight how many lanes, spread over the connections
   * @param onAnswer told of every answer that is as it should be
   * @throws Error for the first answer that is not
   */
  run(inflight: number, next: NextCall, onAnswer: OnAnswer): Promise<void> {
    return new Promise((resolve, reject) => {
      let lanes = inflight;
      const step = (connection: Connection): void => {
        const call = next();
        if (call !== undefined) connection.ask(call);
        else if (--lanes === 0) resolve();
      };
      for (const connection of this.connections) {
        connection.listen({
          onEnd: (exchange) => {
            const problem = problemOf(exchange);
            if (problem !== undefined) throw new Error(problem);
            onAnswer(performance.now() - exchange.startedAt, exchange.call.code);
            step(connection);
          },
          onFailure: reject,
        });
      }
      for (let lane = 0; lane < inflight; lane++) {
        step(this.connections[lane % this.connections.length] as Connection);
      }
    });
  }

  close(): void {
    for (const connection of this.connections) connection.close();
  }
}
