'use strict';
/*
 * The one class of errors. Its codes are the closed list of include/duet/error.h.
 */

const { native } = require('./native.js');

const KINDS = ['done', 'not yet', 'end', 'yours', 'fatal', 'theirs'];

class DuetError extends Error {
  /** result: a number of the list; detail: a sentence that says more, or ''. */
  constructor(result, detail = '', options = undefined) {
    const what = native.explain(result);
    const same = detail === '' || what.sentence.includes(detail);
    super(same ? what.sentence : `${what.sentence}: ${detail}`, options);
    this.code = what.name;
    this.errno = result;
    this.kind = KINDS[what.kind];
    this.cure = what.cure;
  }

  get name() {
    return 'DuetError';
  }
}

native.setErrorClass(DuetError);

/** The error of a name such as 'DUET_SLOW'. */
function errorOf(name, detail, cause) {
  return new DuetError(native.constants[name], detail, cause ? { cause } : undefined);
}

module.exports = { DuetError, errorOf };
