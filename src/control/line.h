/* SPDX-License-Identifier: MIT */
/* control/line.h - a JSON value as one line of text. */
#ifndef CONTROL_LINE_H
#define CONTROL_LINE_H

#include <jansson.h>

#include "base/check.h"

/* root is taken (NULL gives NULL). With a newline; free() it. */
MUST char *line_of(json_t *root);

#endif
