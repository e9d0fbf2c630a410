/* SPDX-License-Identifier: MIT */
/*
 * test/fuzz/replay.c - run the fuzz targets over files
 *
 *   replay CORPUS [TARGET…]     every file of CORPUS/TARGET/; all targets
 *   replay --file TARGET FILE…  these
 *
 * Each input is copied to a block of its size, so that a sanitizer sees a
 * read past its end. A property that does not hold ends the program; the
 * last line printed then names the input.
 */
#include <dirent.h>
#include <string.h>

#include "fuzz/fuzz.h"

typedef void target_fn(const uint8_t *data, size_t size);

static const struct {
	const char *name;
	target_fn *run;
} targets[] = {
#define X(name) { #name, fuzz_##name },
	FUZZ_TARGETS(X)
#undef X
};

#define N_TARGETS (sizeof(targets) / sizeof(targets[0]))
#define INPUT_MAX 65536

static int run_file(size_t t, const char *path)
{
	static uint8_t buf[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	uint8_t *exact;
	size_t len;

	if (!f) {
		perror(path);
		return -1;
	}
	len = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	exact = malloc(len + !len);
	if (!exact)
		abort();
	memcpy(exact, buf, len);
	printf("%s\n", path);
	fflush(stdout);
	targets[t].run(exact, len);
	free(exact);
	return 0;
}

/* Every file of a target's folder; how many, or -1. */
static int run_folder(size_t t, const char *corpus)
{
	char path[4096];
	struct dirent *e;
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", corpus, targets[t].name);
	dir = opendir(path);
	if (!dir) {
		perror(path);
		return -1;
	}
	while (n >= 0 && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", corpus,
			 targets[t].name, e->d_name);
		n = run_file(t, path) < 0 ? -1 : n + 1;
	}
	closedir(dir);
	return n;
}

static size_t find(const char *name)
{
	for (size_t t = 0; t < N_TARGETS; t++)
		if (!strcmp(name, targets[t].name))
			return t;
	fprintf(stderr, "replay: %s: no such target\n", name);
	exit(2);
}

static int replay(const char *corpus, int n_names, char **names)
{
	const int n = n_names ? n_names : (int)N_TARGETS;
	int sum = 0;

	for (int i = 0; i < n; i++) {
		const size_t t = n_names ? find(names[i]) : (size_t)i;
		const int files = run_folder(t, corpus);

		if (files <= 0) {
			fprintf(stderr, "replay: %s has no inputs\n",
				targets[t].name);
			return 1;
		}
		sum += files;
	}
	printf("replay: %d targets, %d inputs\n", n, sum);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	if (strcmp(argv[1], "--file"))
		return replay(argv[1], argc - 2, argv + 2);
	for (int i = 3; i < argc; i++)
		if (run_file(find(argv[2]), argv[i]) < 0)
			return 1;
	return 0;
}
