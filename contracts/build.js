// Compiles src/ and writes (or with --check compares) artifacts/CredentialRegistry.json. Started by scripts/build_contracts.
// With --sources FOLDER it compiles those sources instead and prints the artifact; scripts/mutate_contracts does that. There
// warnings are no errors, and the compiler takes its shorter way (not via IR): the same behaviour, in less than half the time.
"use strict";
const fs = require("fs");
const path = require("path");
const solc = require("solc");
const { keccak256 } = require("js-sha3");

const CONTRACT = "CredentialRegistry";
const here = (...parts) => path.join(__dirname, ...parts);
const artifact = here("artifacts", `${CONTRACT}.json`);

/** The same value with the keys of every object in order, so that the file depends on nothing else. */
function ordered(value) {
  if (Array.isArray(value)) return value.map(ordered);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, ordered(value[key])]));
}

function build(folder, quick) {
  const settings = JSON.parse(fs.readFileSync(here("solc-settings.json"), "utf8"));
  if (quick) settings.viaIR = false;
  const names = fs.readdirSync(folder).filter((name) => name.endsWith(".sol")).sort();
  const sources = {};
  const sourceHashes = {};
  for (const name of names) {
    const content = fs.readFileSync(path.join(folder, name));
    sources[`src/${name}`] = { content: content.toString("utf8") };
    sourceHashes[`src/${name}`] = `0x${keccak256(content)}`;
  }
  const input = {
    language: "Solidity",
    sources,
    settings: { ...settings, outputSelection: { "*": { "*": ["abi", "evm.bytecode", "evm.deployedBytecode"] } } },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const problems = (output.errors ?? []).filter((problem) => !quick || problem.severity === "error");
  for (const problem of problems) process.stderr.write(problem.formattedMessage);
  if (problems.length > 0) throw new Error("the compiler complains; in the registry's own sources warnings count as errors");

  const contract = output.contracts[`src/${CONTRACT}.sol`][CONTRACT];
  const { bytecode, deployedBytecode } = contract.evm;
  if (Object.keys(deployedBytecode.immutableReferences).length > 0) {
    throw new Error("the contract has immutables: its code hash would differ from chain to chain");
  }
  const size = deployedBytecode.object.length / 2;
  if (size > 24576) throw new Error(`the deployed code has ${size} bytes; Ethereum takes 24576`);
  return ordered({
    abi: contract.abi,
    bytecode: `0x${bytecode.object}`,
    codeHash: `0x${keccak256(Buffer.from(deployedBytecode.object, "hex"))}`,
    compiler: { name: "solc-js", settings, version: solc.version() },
    contractName: CONTRACT,
    deployedBytecode: `0x${deployedBytecode.object}`,
    sourceHashes,
  });
}

/** Compares or writes the committed artifact. */
function main(check) {
  const built = build(here("src"), false);
  const text = `${JSON.stringify(built, null, 2)}\n`;
  const facts = `code hash ${built.codeHash}, ${built.deployedBytecode.length / 2 - 1} bytes`;
  const name = `contracts/artifacts/${CONTRACT}.json`;
  if (!check) {
    fs.mkdirSync(here("artifacts"), { recursive: true });
    fs.writeFileSync(artifact, text);
    console.log(`Wrote ${name} (${facts}).`);
  } else if (fs.existsSync(artifact) && fs.readFileSync(artifact, "utf8") === text) {
    console.log(`${name} matches its sources (${facts}).`);
  } else {
    process.stderr.write(
      `${name} is not what contracts/src compiles to.\n` +
        "If the sources were changed on purpose, run scripts/build_contracts and commit the result.\n"
    );
    process.exitCode = 1;
  }
}

const sources = process.argv.indexOf("--sources");
if (sources > 0) process.stdout.write(JSON.stringify(build(process.argv[sources + 1], true)));
else main(process.argv.includes("--check"));
