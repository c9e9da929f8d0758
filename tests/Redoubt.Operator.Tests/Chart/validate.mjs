// Reads a JSON list of Kubernetes objects from stdin and checks each against the OpenAPI schema of its kind (npm package
// kubernetes-models, whose validators are generated from Kubernetes' own OpenAPI documents). Prints one line per fault.
import { pathToFileURL } from 'node:url';
import { readFileSync } from 'node:fs';

const root = pathToFileURL(process.argv[2] + '/node_modules/kubernetes-models/');
for (const object of JSON.parse(readFileSync(0, 'utf8'))) {
  const name = `${object.apiVersion} ${object.kind} ${object.metadata?.name}`;
  let models;
  try {
    models = await import(new URL(`${object.apiVersion}/index.js`, root));
  } catch {
    console.log(`${name}: no schema`);
    continue;
  }
  if (!models[object.kind]) {
    console.log(`${name}: no schema`);
    continue;
  }
  try {
    new models[object.kind](object).validate();
  } catch (e) {
    console.log(`${name}: ${e.message}`);
  }
}
