/* SPDX-License-Identifier: Apache-2.0 */
#include "core/outcome.h"

const struct outcome_text outcome_texts[OUTCOME_COUNT] = {
#define X(name, word, status, text) [name] = {word, status, text},
    OUTCOMES(X)
#undef X
};
