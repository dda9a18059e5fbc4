/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h -- the figures of /metrics, in the text format of Prometheus. */
#ifndef API_METRICS_H
#define API_METRICS_H

#include "api/call.h"

void metrics_write(struct buf *out, struct api *api);

#endif
