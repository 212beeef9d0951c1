/** Answers of the debug port that are a text and nothing else. */
import type { ServerResponse } from 'node:http';

export function answerText(response: ServerResponse, status: number, text: string, headers = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers }).end(text);
}
