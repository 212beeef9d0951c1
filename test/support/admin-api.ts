/** A running service with admin tokens, and calls of its admin API that hold every answer against the document. */
import { type HttpAnswer, http1, postJson } from './clients-http.ts';
import { type InProcess, startInProcess } from './in-process.ts';
import { OpenApi } from './openapi.ts';

export const TOKEN = 'first-admin-token-0123456789';
export const OTHER_TOKEN = 'second-admin-token-9876543210';

export interface AdminCall {
  /** null: none. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text is sent as it is. */
  readonly body?: unknown;
}

export interface AdminAnswer extends HttpAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: tests read what was answered, and fail if it is not there
  readonly json: any;
}

export class AdminApiUnderTest {
  readonly server: InProcess;
  readonly document: OpenApi;

  private constructor(server: InProcess, document: OpenApi) {
    this.server = server;
    this.document = document;
  }

  static async start(
    policies: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<AdminApiUnderTest> {
    const server = await startInProcess(policies, { ADMIN_TOKEN: `${TOKEN},${OTHER_TOKEN}`, ...env });
    return new AdminApiUnderTest(server, await OpenApi.of(server.http));
  }

  /** @throws when the answer is not as the document says */
  async call(method: string, path: string, call: AdminCall = {}): Promise<AdminAnswer> {
    const answer = await this.callUndocumented(method, path, call);
    const mistakes = this.document.mistakesOf(method, path, answer);
    if (mistakes !== undefined) throw new Error(mistakes);
    return answer;
  }

  /** For what the document does not speak of: wrong methods, wrong addresses. */
  async callUndocumented(method: string, path: string, call: AdminCall = {}): Promise<AdminAnswer> {
    const { token = TOKEN, headers = {}, body } = call;
    const answer = await http1(this.server.http + path, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { ...answer, json: answer.text.startsWith('{') ? JSON.parse(answer.text) : undefined };
  }

  /** A new key, as it is shown at its creation. */
  async create(body: object = {}): Promise<AdminAnswer['json']> {
    const { status, json, text } = await this.call('POST', '/v1/keys', { body: { name: 'test', ...body } });
    if (status !== 201) throw new Error(text);
    return json;
  }

  /** Whether a request with this key passes in the domain of SHOP, and what is left of its windows. */
  async check(key: string, hits = 1): Promise<AdminAnswer['json']> {
    return JSON.parse((await postJson(`${this.server.http}/v1/check`, { domain: 'shop', api_key: key, hits })).text);
  }

  /** By the names of the windows of the first limit. */
  async usedOf(id: string): Promise<Record<string, number>> {
    const { json } = await this.call('GET', `/v1/keys/${id}/usage`);
    return Object.fromEntries(
      json.policies[0].windows.map(({ name, used }: { name: string; used: number }) => [name, used]),
    );
  }

  async newestAudit(): Promise<AdminAnswer['json']> {
    return (await this.call('GET', '/v1/audit?page_size=1')).json.data[0];
  }

  stop(): Promise<void> {
    return this.server.stop();
  }
}
