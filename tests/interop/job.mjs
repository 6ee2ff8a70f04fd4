// One job for each process: {name: case} in JSON on stdin, {results: {name: result}, refused: [host]} on stdout.
import {refused} from './loopback.mjs';

export async function runJob(work) {
  const chunks = [];
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
  }
  const results = {};
  for(const [name, input] of Object.entries(JSON.parse(Buffer.concat(chunks)))) {
    results[name] = await work(input);
  }
  process.stdout.write(JSON.stringify({results, refused}));
}

// An error with all that it stands for: name and message of each, outermost first.
export function errorsOf(error) {
  if(!error) {
    return [];
  }
  const inner = [...(error.errors ?? []), ...(error.cause instanceof Error ? [error.cause] : [])];
  return [{name: error.name, message: error.message}, ...inner.flatMap(errorsOf)];
}
