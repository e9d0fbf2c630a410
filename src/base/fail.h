/* SPDX-License-Identifier: MIT */
/*
 * base/fail.h - why something could not be done, in words for its user.
 *
 * The form is "what went wrong: why; what to do". Header only, because
 * formatting is libc's: no pure layer uses it.
 */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include <stdarg.h>
#include <stdio.h>

struct fail {
	char text[384];		/* one line, no newline; "" if none */
};

/* Write the text (cut if too long). Returns -1, for `return fail_set(…)`. */
__attribute__((format(printf, 2, 3)))
static inline int fail_set(struct fail *fail, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(fail->text, sizeof(fail->text), format, ap);
	va_end(ap);
	return -1;
}

#endif
