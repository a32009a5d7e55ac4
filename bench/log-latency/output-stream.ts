import { request } from 'node:http';
import { AUTHORIZATION } from '../api-caller.js';

/** Follows a step's output as an EventSource does, to the stream's end; hands on each piece of text as it comes. */
export function followOutput({
  port,
  operation,
  step,
  onText,
}: {
  port: number;
  operation: string;
  step: string;
  onText(text: string): void;
}): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: AUTHORIZATION, accept: 'text/event-stream' };
    const path = `/operations/${operation}/output?step=${step}`;
    const asked = request({ host: '127.0.0.1', port, path, headers }, (response) => {
      if (response.statusCode !== 200) return reject(new Error(`${path}: ${response.statusCode}`));
      let rest = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        const events = (rest + piece).split('\n\n');
        rest = events.pop() ?? '';
        for (const event of events) {
          const data = /^event: output$[^]*^data: (.*)$/m.exec(event)?.[1];
          if (data !== undefined) onText((JSON.parse(data) as { text: string }).text);
        }
      });
      response.on('end', resolve).on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}
