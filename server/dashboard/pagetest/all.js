import "./run_test.js";
import "./stream_test.js";
import "./page_test.js";

export { runAll } from "./harness.js";
