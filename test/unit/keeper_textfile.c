/* SPDX-License-Identifier: MIT */
/* test/unit/keeper_textfile.c - what is read, and what is no text file. */
#include "keeper/textfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define PATIENCE_S	10	/* then it hangs, and the program dies of it */

static void check_text(const char *path, size_t max, const char *want)
{
	char *text = textfile_read(path, max);

	CHECK(want, text && !strcmp(text, want));
	free(text);
}

/* Refused at once, and for that reason: no byte of it is waited for. */
static void check_refused(const char *path, int error)
{
	char *text;

	alarm(PATIENCE_S);
	errno = 0;
	text = textfile_read(path, 100);
	CHECK(path, !text && errno == error);
	alarm(0);
	free(text);
}

static void check_files(const char *dir)
{
	static const char bytes[] = "one\ntwo\0three";
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/file", dir);
	check_refused(path, ENOENT);
	f = fopen(path, "w");
	CHECK("a file", f && fwrite(bytes, sizeof(bytes), 1, f) == 1);
	if (f)
		fclose(f);
	check_text(path, 100, "one\ntwo");
	check_text(path, 5, "one\nt");
	check_text(path, 0, "");
	unlink(path);
}

static void check_others(const char *dir)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/fifo", dir);
	CHECK("a FIFO", !mkfifo(path, 0600));
	check_refused(path, EINVAL);
	unlink(path);
	check_refused(dir, EINVAL);
	check_refused("/dev/zero", EINVAL);
	check_refused("/dev/null", EINVAL);
}

void test_keeper_textfile(void);
void test_keeper_textfile(void)
{
	char dir[] = "/tmp/slipway-test-XXXXXX";

	CHECK("a folder", mkdtemp(dir));
	check_files(dir);
	check_others(dir);
	CHECK("empty", !rmdir(dir));
}
