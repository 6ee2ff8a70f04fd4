// @digitalbazaar/vc with the cryptosuites and the status lists of the same authors.
// Case: {credential, suites: [name]}. Result: {verified, errors, statuses: {purpose: bit}}.
import * as vc from '@digitalbazaar/vc';
import {checkStatus} from '@digitalbazaar/vc-bitstring-status-list';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import {createVerifyCryptosuite} from '@digitalbazaar/eddsa-jcs-2022-cryptosuite';
import {cryptosuite as rdfc} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import {documentLoader} from './loading.mjs';
import {errorsOf, runJob} from './job.mjs';

const cryptosuites = {'eddsa-rdfc-2022': rdfc, 'eddsa-jcs-2022': createVerifyCryptosuite()};

await runJob(async ({credential, suites}) => {
  const suite = suites.map(name => new DataIntegrityProof({cryptosuite: cryptosuites[name]}));
  const result = await vc.verifyCredential({credential, suite, documentLoader, checkStatus});
  const {statusResult} = result;
  return {
    verified: result.verified,
    errors: [...errorsOf(result.error), ...errorsOf(statusResult?.error)],
    statuses: Object.fromEntries((statusResult?.results ?? []).map(
      ({credentialStatus, status}) => [credentialStatus.statusPurpose, status]))
  };
});
