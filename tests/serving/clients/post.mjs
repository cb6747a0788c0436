// Posts a file of JSON with node's fetch: post.mjs URL FILE
import { readFile } from "node:fs/promises";

const [url, file] = process.argv.slice(2);
const response = await fetch(url, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: await readFile(file),
});
const text = await response.text();
if (!response.ok) {
  console.error(response.status, text);
  process.exit(1);
}
console.log(text);
