import { runAll } from "./all.js";

const { passed, failed } = await runAll();
for (const f of failed) console.log(`FAIL ${f}`);
console.log(`${passed} passed, ${failed.length} failed`);
process.exitCode = failed.length > 0 || passed === 0 ? 1 : 0;
