/* SPDX-License-Identifier: MIT */
#include "cmd/doctor_windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/output.h"
#include "doctor/wintext.h"
#include "linux/procfile.h"

#define MOUNTS_BYTES	(256u << 10)
#define CONFIG_BYTES	(64u << 10)
#define REG		"reg.exe"
#define REG_MS		10000		/* the first one may wake Windows */
#define WORDS_MAX	12

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, X_OK) == 0;
}

bool windows_in_path(const char *name, char *out, size_t cap)
{
	const char *dir = getenv("PATH");

	while (dir) {
		const size_t n = strcspn(dir, ":");
		const int len = snprintf(out, cap, "%.*s/%s", (int)n, dir,
					 name);

		/* Nothing of a folder that depends on where we are. */
		if (*dir == '/' && len > 0 && (size_t)len < cap &&
		    is_program(out))
			return true;
		dir = dir[n] ? dir + n + 1 : NULL;
	}
	return false;
}

/* The text of a file, at most cap bytes of it; free it. */
static char *file_text(const char *path, size_t cap)
{
	char *text = malloc(cap);

	if (text && procfile_read(path, text, cap) >= 0)
		return text;
	free(text);
	return NULL;
}

bool windows_find(struct windows *w)
{
	char path[PATH_MAX];

	*w = (struct windows){ .mounts = file_text("/proc/mounts",
						   MOUNTS_BYTES) };
	if (!windows_in_path(REG, path, sizeof(path)) &&
	    (!w->mounts || !win_path(w->mounts,
				     "C:\\Windows\\System32\\reg.exe", path,
				     sizeof(path)) || !is_program(path)))
		return false;
	*strrchr(path, '/') = '\0';
	strcpy(w->system32, path);
	return true;
}

void windows_fini(struct windows *w)
{
	free(w->mounts);
}

char *windows_run(struct windows *w, const char *program, int wait_ms,
		  const char *const words[])
{
	const char *argv[WORDS_MAX + 2];
	char path[PATH_MAX + 64], *text = NULL;
	unsigned n = 1;
	int status;

	if (w->dead)
		return NULL;
	snprintf(path, sizeof(path), "%s/%s", w->system32, program);
	argv[0] = path;
	while (words[n - 1] && n <= WORDS_MAX) {
		argv[n] = words[n - 1];
		n++;
	}
	argv[n] = NULL;
	status = output_beside(argv, wait_ms, &text);
	if (status == 0)
		return text;
	free(text);
	w->dead = status < 0 && !strcmp(program, REG);
	return NULL;
}

char *windows_reg(struct windows *w, const char *key, const char *value)
{
	const char *const words[] = { "query", key, value ? "/v" : NULL,
				      value, NULL };

	return windows_run(w, REG, REG_MS, words);
}

char *windows_wslconfig(struct windows *w)
{
	char *text = windows_reg(w, "HKCU\\Volatile Environment",
				 "USERPROFILE");
	char profile[PATH_MAX], path[PATH_MAX + 16];
	bool found;

	found = text && w->mounts &&
		reg_text(text, "USERPROFILE", profile, sizeof(profile)) &&
		win_path(w->mounts, profile, path, PATH_MAX);
	free(text);
	if (!found)
		return NULL;
	strcat(path, "/.wslconfig");
	return file_text(path, CONFIG_BYTES);
}
