// What others sign, for us to judge. Case: {suite, curve, credential}, signed by a new key whose did:key is the issuer,
// or {alg, credential}, a VC-JWT signed by a new key. Result: the credential, or {token, jwk}.
// {bits: [place], url, credential}: a status list of the same authors, signed the same way.
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import * as status from '@digitalbazaar/vc-bitstring-status-list';
import * as vc from '@digitalbazaar/vc';
import {SignJWT, exportJWK, generateKeyPair} from 'jose';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import {Ed25519Signature2020} from '@digitalbazaar/ed25519-signature-2020';
import {Ed25519VerificationKey2020} from '@digitalbazaar/ed25519-verification-key-2020';
import {cryptosuite as ecdsaRdfc} from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite';
import {createSignCryptosuite as ecdsaJcs} from '@digitalbazaar/ecdsa-jcs-2019-cryptosuite';
import {createSignCryptosuite as eddsaJcs} from '@digitalbazaar/eddsa-jcs-2022-cryptosuite';
import {cryptosuite as eddsaRdfc} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import {documentLoader} from './loading.mjs';
import {runJob} from './job.mjs';

const cryptosuites = {
  'eddsa-rdfc-2022': eddsaRdfc,
  'eddsa-jcs-2022': eddsaJcs(),
  'ecdsa-rdfc-2019': ecdsaRdfc,
  'ecdsa-jcs-2019': ecdsaJcs()
};

await runJob(async job => {
  if(job.alg) {
    return signToken(job);
  }
  const {suite, did} = await newSuite(job);
  let {credential} = job;
  if(job.bits) {
    const list = await status.createList({length: 131072});
    job.bits.forEach(place => list.setStatus(place, true));
    credential = await status.createCredential({id: job.url, list, statusPurpose: 'revocation'});
  }
  const issuer = credential.issuer ? {...credential.issuer, id: did} : did;
  return vc.issue({credential: {...credential, issuer}, suite, documentLoader});
});

async function newSuite({suite, curve}) {
  const old = suite === 'Ed25519Signature2020';
  const key = await (old ? Ed25519VerificationKey2020.generate() :
    curve === 'Ed25519' ? Ed25519Multikey.generate() : EcdsaMultikey.generate({curve}));
  const {publicKeyMultibase} = await key.export({publicKey: true});
  const did = key.controller = `did:key:${publicKeyMultibase}`;
  key.id = `${did}#${publicKeyMultibase}`;
  return {
    did,
    suite: old ? new Ed25519Signature2020({key}) :
      new DataIntegrityProof({signer: key.signer(), cryptosuite: cryptosuites[suite]})
  };
}

async function signToken({alg, kid, credential}) {
  const {publicKey, privateKey} = await generateKeyPair(alg, {extractable: true});
  const token = await new SignJWT(credential)
    .setProtectedHeader({alg, typ: 'vc+jwt', cty: 'vc', kid})
    .sign(privateKey);
  return {token, jwk: await exportJWK(publicKey)};
}
