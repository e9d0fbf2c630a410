/* SPDX-License-Identifier: MIT */
#include "control/request.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "control/line.h"

static const char *const names[] = {
	[REQUEST_NONE] = "",
	[REQUEST_STATUS] = "status",
	[REQUEST_STOP] = "stop",
	[REQUEST_EXEC] = "exec",
};

enum request_op request_parse(const char *line, size_t len)
{
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *op = json_string_value(json_object_get(root, "op"));
	enum request_op found = REQUEST_NONE;

	for (unsigned i = REQUEST_STATUS; op && i <= REQUEST_EXEC; i++)
		if (!strcmp(op, names[i]))
			found = (enum request_op)i;
	json_decref(root);
	return found;
}

char *request_make(enum request_op op)
{
	return line_of(json_pack("{s:s}", "op", names[op]));
}

char *request_error(const char *text)
{
	return line_of(json_pack("{s:s}", "error", text));
}
