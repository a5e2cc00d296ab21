// Interoperation with tuf-js: it reads what our Repository writes, and our client reads what @tufjs/models writes, over loopback.
// node interop.mjs PUBLISH_TREE TUF_CLIENT NODE_MODULES
import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import {createRequire} from 'node:module';
import os from 'node:os';
import path from 'node:path';
import {promisify} from 'node:util';

const [publishTree, tufClient, modules] = process.argv.slice(2).map((word) => path.resolve(word));
const require = createRequire(path.join(modules, 'x.js'));
const {Updater} = require('tuf-js');
const {canonicalize} = require('@tufjs/canonical-json');
const models = require('@tufjs/models');
const {Delegations} = require(path.join(modules, '@tufjs/models/dist/delegations.js'));
const {DelegatedRole, Role, SuccinctRoles} = require(path.join(modules, '@tufjs/models/dist/role.js'));
const run = promisify(execFile);
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'creance-interop-'));
let passed = 0;
async function test(name, body) {
  await body();
  ++passed;
  console.log(`ok ${name}`);
}

async function serve(dir) {
  const requests = [];
  const server = http.createServer((request, response) => {
    requests.push(request.url);
    const file = path.join(dir, decodeURIComponent(request.url));
    if (!file.startsWith(dir + path.sep) || !fs.existsSync(file)) return response.writeHead(404).end();
    response.end(fs.readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {requests, url: `http://127.0.0.1:${server.address().port}/`, close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); })};
}

// --- tuf-js reads our tree

async function tufJs(dir, body) {
  const server = await serve(dir);
  const metadataDir = fs.mkdtempSync(path.join(scratch, 'js-'));
  const targetDir = fs.mkdtempSync(path.join(scratch, 'jst-'));
  fs.copyFileSync(path.join(dir, 'root.json'), path.join(metadataDir, 'root.json'));
  try {
    const updater = new Updater({metadataDir, targetDir, metadataBaseUrl: server.url + 'metadata', targetBaseUrl: server.url + 'targets', config: {fetchRetries: 0}});
    await body(updater, targetDir);
  } finally {
    await server.close();
  }
}
async function ours(kind, ...more) {
  const dir = path.join(fs.mkdtempSync(path.join(scratch, 'ours-')), 'tree');
  await run(publishTree, [dir, kind, ...more]);
  return dir;
}
const rewrite = (file, change) => fs.writeFileSync(file, change(fs.readFileSync(file, 'utf8')));

for (const kind of ['ed25519', 'ecdsa', 'rsa']) {
  await test(`tuf-js reads our tree, ${kind} keys, 2-of-N roots, a rotation, delegations`, async () => {
    await tufJs(await ours(kind), async (updater, targetDir) => {
      await updater.refresh();
      const plan = await updater.getTargetInfo('rollout/plan.json');
      assert.equal(fs.readFileSync(await updater.downloadTarget(plan, path.join(targetDir, 'plan')), 'utf8'), '{}');
      const channel = await updater.getTargetInfo('content/r 1/ä b.channel');
      assert.equal(channel.custom.note, 'line\nbreak "quoted" \\ ü');
      assert.equal(await updater.getTargetInfo('content/r 1/none'), undefined);
    });
  });
}
await test('tuf-js refuses our tree once its timestamp expired', async () => {
  await tufJs(await ours('ed25519', 'expired'), async (updater) => assert.rejects(updater.refresh(), /expired/i));
});
await test('tuf-js refuses a tampered role of our tree', async () => {
  const dir = await ours('ed25519');
  rewrite(path.join(dir, 'metadata/1.rollout.json'), (text) => text.replace('"length": 2', '"length": 3'));
  await tufJs(dir, async (updater) => {
    await updater.refresh();
    await assert.rejects(updater.getTargetInfo('rollout/plan.json'));
  });
});

// --- our client reads what @tufjs/models writes

const kinds = {
  ed25519: () => crypto.generateKeyPairSync('ed25519'),
  ecdsa: () => crypto.generateKeyPairSync('ec', {namedCurve: 'prime256v1'}),
  rsa: () => crypto.generateKeyPairSync('rsa', {modulusLength: 2048}),
};
const names = {ed25519: ['ed25519', 'ed25519'], ecdsa: ['ecdsa', 'ecdsa-sha2-nistp256'], rsa: ['rsa', 'rsassa-pss-sha256']};
function newKey(kind, keyID = undefined) {
  const pair = kinds[kind]();
  const pem = pair.publicKey.export({type: 'spki', format: 'pem'});
  const raw = kind === 'ed25519' ? pair.publicKey.export({type: 'spki', format: 'der'}).subarray(-32).toString('hex') : pem;
  const [keyType, scheme] = names[kind];
  const json = {keytype: keyType, scheme, keyval: {public: raw}};
  const id = keyID ?? crypto.createHash('sha256').update(canonicalize(json)).digest('hex');
  const sign = (data) => {
    const salt = [crypto.constants.RSA_PSS_SALTLEN_DIGEST, crypto.constants.RSA_PSS_SALTLEN_MAX_SIGN][passed % 2];
    const sig = kind === 'rsa' ? crypto.sign('sha256', data, {key: pair.privateKey, padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: salt}) : crypto.sign(kind === 'ecdsa' ? 'sha256' : null, data, pair.privateKey);
    return new models.Signature({keyID: id, sig: sig.toString('hex')});
  };
  return {key: new models.Key({keyID: id, keyType, scheme, keyVal: {public: raw}}), sign};
}
const soon = (days) => new Date(Date.now() + days * 86400000).toISOString().replace(/\.\d+Z/, 'Z');
const signed = (part, keys) => {
  const metadata = new models.Metadata(part);
  for (const {sign} of keys) metadata.sign((data) => sign(data), true);
  return Buffer.from(JSON.stringify(metadata.toJSON()));
};
const digest = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

// Two roots (2-of-3, then rotated), consistent snapshots or not, two levels of delegations and hash bins.
function theirs(kind, {consistent = true, expired = false, strangeIds = false, spoil = undefined} = {}) {
  const dir = fs.mkdtempSync(path.join(scratch, 'theirs-'));
  fs.mkdirSync(path.join(dir, 'metadata'));
  let n = 0;
  const fresh = () => newKey(kind, strangeIds ? `key ${++n} ü` : undefined);
  const [r1, r2, r3, r4, top, snap, stamp, team, member, bin] = Array.from({length: 10}, fresh);
  const makeRoot = (version, rootKeys) => {
    const root = new models.Root({version, specVersion: '1.0.31', expires: soon(100), consistentSnapshot: consistent, keys: {}, roles: {
      root: new Role({keyIDs: [], threshold: 2}), targets: new Role({keyIDs: [], threshold: 1}), snapshot: new Role({keyIDs: [], threshold: 1}), timestamp: new Role({keyIDs: [], threshold: 1})}});
    for (const k of rootKeys) root.addKey(k.key, 'root');
    root.addKey(top.key, 'targets');
    root.addKey(snap.key, 'snapshot');
    root.addKey(stamp.key, 'timestamp');
    return root;
  };
  const first = signed(makeRoot(1, [r1, r2, r3]), [r1, r3]);
  fs.writeFileSync(path.join(dir, 'root.json'), first);
  fs.writeFileSync(path.join(dir, 'metadata/1.root.json'), first);
  fs.writeFileSync(path.join(dir, 'metadata/2.root.json'), signed(makeRoot(2, [r3, r4]), [r1, r3, r4]));
  const contents = {'team/member/file one.txt': Buffer.from('one'), 'team/ü.txt': Buffer.from('two'), 'anything/else': Buffer.from('three')};
  const target = (name) => new models.TargetFile({path: name, length: contents[name].length, hashes: {sha256: digest(contents[name])}, unrecognizedFields: {custom: {'ключ': 'é\u0001'}}});
  const role = (keys, name, paths, terminating = false) => new DelegatedRole({keyIDs: keys.map((k) => k.key.keyID), threshold: keys.length, name, paths, terminating});
  const keyMap = (keys) => Object.fromEntries(keys.map((k) => [k.key.keyID, k.key]));
  const base = {version: 1, specVersion: '1.0.31', expires: soon(50)};
  const makeTargets = (names, delegations) => new models.Targets({...base, targets: Object.fromEntries(names.map((x) => [x, target(x)])), delegations});
  const succinct = new SuccinctRoles({keyIDs: [bin.key.keyID], threshold: 1, bitLength: 3, namePrefix: 'bin'});
  const roles = {
    targets: signed(makeTargets([], new Delegations({keys: keyMap([team, member]), roles: {team: role([team], 'team', ['team/*', 'team/*/*']), rest: role([team, member], 'rest', ['anything/*'])}})), [top]),
    team: signed(makeTargets(['team/ü.txt'], new Delegations({keys: keyMap([member]), roles: {'team/member?': role([member], 'team/member?', ['team/member/*'], true)}})), [team]),
    'team/member?': signed(makeTargets(['team/member/file one.txt']), [spoil === 'signature' ? team : member]),
    rest: signed(makeTargets([], new Delegations({keys: keyMap([bin]), succinctRoles: succinct})), [team, member]),
  };
  for (const name of succinct.getRoles()) roles[name] = signed(makeTargets(succinct.getRoleForTarget('anything/else') === name ? ['anything/else'] : []), [bin]);
  const meta = (bytes) => new models.MetaFile({version: 1, length: bytes.length, hashes: {sha256: digest(bytes)}});
  const snapshot = signed(new models.Snapshot({...base, meta: Object.fromEntries(Object.entries(roles).map(([name, bytes]) => [`${name}.json`, meta(bytes)]))}), [snap]);
  const prefix = consistent ? '1.' : '';
  for (const [name, bytes] of Object.entries(roles)) {
    // the server above decodes addresses, so the file's name is the role's; "/" becomes a folder
    const file = path.join(dir, 'metadata', `${prefix}${name}.json`);
    fs.mkdirSync(path.dirname(file), {recursive: true});
    fs.writeFileSync(file, spoil === 'bytes' && name === 'team' ? Buffer.concat([bytes.subarray(0, -1), Buffer.from(' ')]) : bytes);
  }
  fs.writeFileSync(path.join(dir, `metadata/${prefix}snapshot.json`), snapshot);
  fs.writeFileSync(path.join(dir, 'metadata/timestamp.json'), signed(new models.Timestamp({...base, expires: soon(expired ? -1 : 1), snapshotMeta: meta(snapshot)}), [stamp]));
  for (const [name, bytes] of Object.entries(contents)) {
    const file = path.join(dir, 'targets', path.dirname(name), (consistent ? `${digest(bytes)}.` : '') + path.basename(name));
    fs.mkdirSync(path.dirname(file), {recursive: true});
    fs.writeFileSync(file, spoil === 'target' ? 'bad' : bytes);
  }
  return {dir, contents};
}
async function ourClient({dir, contents}) {
  const server = await serve(dir);
  const base = fs.mkdtempSync(path.join(scratch, 'cpp-'));
  const call = async (...args) => {
    try {
      await run(tufClient, ['--metadata-dir', path.join(base, 'metadata'), ...args]);
      return 0;
    } catch (error) {
      call.said = error.stderr;
      return error.code;
    }
  };
  try {
    assert.equal(await call('init', path.join(dir, 'root.json')), 0, call.said);
    const refreshed = await call('--metadata-url', server.url + 'metadata/', 'refresh');
    if (refreshed !== 0) return {code: refreshed, said: call.said};
    const wanted = Object.keys(contents).flatMap((name) => ['--target-name', name]);
    const code = await call('--metadata-url', server.url + 'metadata/', ...wanted, '--target-dir', path.join(base, 'targets'), '--target-base-url', server.url + 'targets/', 'download');
    if (code !== 0) return {code, said: call.said};
    for (const [name, bytes] of Object.entries(contents)) {
      const quoted = encodeURIComponent(name).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());
      assert.deepEqual(fs.readFileSync(path.join(base, 'targets', quoted)), bytes);
    }
    return {code: 0, said: ''};
  } finally {
    await server.close();
  }
}

for (const kind of ['ed25519', 'ecdsa', 'rsa']) {
  for (const consistent of [true, false]) {
    await test(`our client reads @tufjs/models, ${kind} keys, consistent snapshots ${consistent ? 'on' : 'off'}`, async () => assert.deepEqual(await ourClient(theirs(kind, {consistent})), {code: 0, said: ''}));
  }
}
await test('our client reads key ids that are no hashes', async () => assert.deepEqual(await ourClient(theirs('ed25519', {strangeIds: true})), {code: 0, said: ''}));
await test('our client refuses an expired timestamp', async () => {
  const result = await ourClient(theirs('ed25519', {expired: true}));
  assert.equal(result.code, 1);
  assert.match(result.said, /timestamp expired/);
});
for (const spoil of ['signature', 'bytes', 'target']) {
  await test(`our client refuses a wrong ${spoil}`, async () => assert.equal((await ourClient(theirs('ecdsa', {spoil}))).code, 1));
}

await test('creance-tuf-client keeps its contract: requests, exit codes, several targets in order', async () => {
  const {dir, contents} = theirs('ed25519');
  const server = await serve(dir);
  const base = fs.mkdtempSync(path.join(scratch, 'cli-'));
  const metadata = path.join(base, 'metadata');
  const code = (...args) => run(tufClient, args).then(() => 0, (error) => error.code);
  const asked = async (...args) => {
    server.requests.length = 0;
    const result = await code(...args);
    return [result, ...server.requests.map((url) => decodeURIComponent(url.replace('/metadata/', '').replace('/targets/', 'T:')))];
  };
  const refresh = ['--metadata-url', server.url + 'metadata/', '--metadata-dir', metadata, 'refresh'];
  const download = (...wanted) => ['--metadata-url', server.url + 'metadata/', '--metadata-dir', metadata, ...wanted.flatMap((x) => ['--target-name', x]), '--target-dir', path.join(base, 'targets'), '--target-base-url', server.url + 'targets/', 'download'];
  for (const wrong of [[], ['refresh'], ['--metadata-dir', metadata, 'fly'], ['--metadata-dir'], ['--metadata-dir', metadata, 'init'], ['--what', 'x', 'refresh']]) assert.equal(await code(...wrong), 1);
  assert.deepEqual(await asked(...refresh), [1]);  // no root, no request
  fs.writeFileSync(path.join(base, 'bad.json'), '{"signed":{}}');
  assert.deepEqual(await asked('--metadata-dir', metadata, 'init', path.join(base, 'bad.json')), [1]);
  assert.deepEqual(await asked('--metadata-dir', metadata, 'init', path.join(dir, 'root.json')), [0]);
  assert.deepEqual(await asked(...refresh), [0, '2.root.json', '3.root.json', 'timestamp.json', '1.snapshot.json', '1.targets.json']);
  assert.deepEqual(fs.readdirSync(metadata).sort(), ['root.json', 'snapshot.json', 'targets.json', 'timestamp.json']);
  assert.deepEqual(await asked(...refresh), [0, '3.root.json', 'timestamp.json']);
  const two = digest(contents['team/ü.txt']);
  assert.deepEqual(await asked(...download('team/ü.txt', 'none', 'anything/else')), [1, '3.root.json', 'timestamp.json', '1.team.json', `T:team/${two}.ü.txt`]);
  assert.deepEqual(fs.readdirSync(path.join(base, 'targets')), ['team%2F%C3%BC.txt']);
  assert.deepEqual(await asked(...download('team/ü.txt')), [0, '3.root.json', 'timestamp.json']);  // here already
  await server.close();
  assert.equal(await code(...refresh), 1);
});

fs.rmSync(scratch, {recursive: true});
console.log(`${passed} passed, 0 failed`);
