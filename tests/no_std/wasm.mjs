// Runs the WebAssembly module: node wasm.mjs MODULE VECTORS. It seals and opens, and then opens the published vectors
// of Project Wycheproof for Cobblestone-256.

import assert from "node:assert";
import { createHash, webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

const [modulePath, vectorsPath] = process.argv.slice(2);
const bytes = (start, len) => new Uint8Array(wasm.memory.buffer, start, len);
const host = {
  random: (to, len) => webcrypto.getRandomValues(bytes(to, len)),
  print: (from, len) => process.stdout.write(bytes(from, len)),
};
const { instance } = await WebAssembly.instantiate(readFileSync(modulePath), { host });
const wasm = instance.exports;
assert.equal(wasm.round_trip(), 0);

// Puts buffers one after the other behind the memory of the module; gives where each is.
const free = wasm.memory.buffer.byteLength;
function place(...buffers) {
  const end = buffers.reduce((sum, buffer) => sum + buffer.length, free);
  wasm.memory.grow(Math.max(0, Math.ceil((end - wasm.memory.buffer.byteLength) / 65536)));
  let next = free;
  return buffers.map((buffer) => {
    bytes(next, buffer.length).set(buffer);
    next += buffer.length;
    return next - buffer.length;
  });
}

let valid = 0;
let refused = 0;
for (const test of JSON.parse(readFileSync(vectorsPath)).testGroups.flatMap((group) => group.tests)) {
  const [key, context, sealed] = ["key", "ctx", "ct"].map((name) => Buffer.from(test[name], "hex"));
  if (key.length !== 32) continue; // `open` cannot be asked to use another key.
  const message = inflateSync(sealed);
  const room = new Uint8Array(message.length).fill(0xee);
  const [keyAt, contextAt, messageAt, outAt] = place(key, context, message, room);
  const len = wasm.open(keyAt, contextAt, context.length, messageAt, message.length, outAt, room.length);
  if (test.result === "valid") {
    assert.equal(len, test.msgLength, `case ${test.tcId}`);
    assert.equal(createHash("sha512").update(bytes(outAt, len)).digest("hex"), test.msgSha512, `case ${test.tcId}`);
    valid += 1;
  } else {
    assert.equal(len, -1, `case ${test.tcId}`);
    refused += 1;
  }
}
assert.deepEqual([valid, refused], [10, 23]);
console.log(`wycheproof cobblestone-256 in WebAssembly: ${valid} opened, ${refused} refused`);
