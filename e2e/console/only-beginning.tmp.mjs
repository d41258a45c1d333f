import { beginning } from "./beginning.mjs";
import { end } from "./harness.mjs";
await beginning();
await end();
