// @digitalcredentials/verifier-core, as it is. Case: a credential. Result: {errors, log: {step: valid or error}}.
import {verifyCredential} from '@digitalcredentials/verifier-core';
import {errorsOf, runJob} from './job.mjs';

await runJob(async credential => {
  const {error, errors = [], log = []} = await verifyCredential({credential, knownDIDRegistries: []});
  return {
    errors: [...errors.flatMap(errorsOf), ...errorsOf(error)],
    log: Object.fromEntries(log.map(({id, valid, error}) => [id, error ?? valid]))
  };
});
