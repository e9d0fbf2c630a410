/* SPDX-License-Identifier: MIT */
#include "keeper/logwriter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/process.h"

/* ---- the process that writes ---- */

struct file {
	const struct logwriter *w;
	int fd;
	bool regular;			/* others are not put aside */
	uint64_t bytes;
};

static void write_all(struct file *f, const char *p, size_t n)
{
	while (n) {
		const ssize_t done = write(f->fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;		/* a full disk may be less so later */
		p += done;
		n -= (size_t)done;
		f->bytes += (uint64_t)done;
	}
}

static bool open_file(struct file *f)
{
	struct stat st;

	/* What is no file may have a reader who is yet to come. */
	f->fd = open(f->w->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
		     O_NONBLOCK, 0600);
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return false;
	(void)!fcntl(f->fd, F_SETFL, O_APPEND);
	f->regular = S_ISREG(st.st_mode);
	f->bytes = f->regular ? (uint64_t)st.st_size : 0;
	if (!f->bytes)
		write_all(f, f->w->head, strlen(f->w->head));
	return true;
}

/* The file is as long as it may be. */
static bool begin_anew(struct file *f)
{
	char old[PATH_MAX + 8];

	snprintf(old, sizeof(old), "%s.old", f->w->path);
	close(f->fd);
	/* A folder that does not let us: better a long file than none. */
	if (rename(f->w->path, old) < 0)
		f->regular = false;
	return open_file(f);
}

_Noreturn static void write_lines(const struct logwriter *w, int pipe)
{
	struct file f = { .w = w };
	char buf[1 << 14];
	ssize_t n;

	if (!open_file(&f)) {
		dprintf(2, "the firewall's log %s cannot be written: %s\n",
			w->path, strerror(errno));
		_exit(1);
	}
	/* Lines are whole in the pipe, but a read may end within one. */
	for (bool whole = true; (n = read(pipe, buf, sizeof(buf))) != 0;) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		if (whole && f.regular && f.bytes >= w->max &&
		    !begin_anew(&f))
			_exit(1);
		write_all(&f, buf, (size_t)n);
		whole = buf[n - 1] == '\n';
	}
	_exit(0);
}

/* ---- the keeper's end ---- */

/* false: there is no such process. */
static bool start(struct logwriter *w)
{
	int *const kept[] = { &w->fd };
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	(void)!fcntl(ends[1], F_SETPIPE_SZ, LOGWRITER_PIPE_BYTES);
	(void)!fcntl(ends[1], F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "slipway-log");
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		w->fd = ends[0];
		keeper_keep_only(kept, 1);
		write_lines(w, w->fd);
	}
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return false;
	}
	w->fd = ends[1];
	w->pid = pid;
	return true;
}

static bool put(struct logwriter *w, const char *line, size_t len)
{
	const ssize_t n = write(w->fd, line, len);

	if (n < 0 && errno != EAGAIN)
		w->failed = true;
	return n == (ssize_t)len;
}

/* Say how many are missing, as Windows does. false: not yet. */
static bool put_lost(struct logwriter *w)
{
	char line[128], when[32] = "- -";
	const time_t now = time(NULL);
	struct tm tm;
	int n;

	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%F %T", &tm);
	n = snprintf(line, sizeof(line), "%s INFO-EVENTS-LOST - - - - - - - - "
		     "- - - - - %llu - -\n", when,
		     (unsigned long long)w->lost);
	if (n < 0 || !put(w, line, (size_t)n))
		return false;
	w->lost = 0;
	return true;
}

bool logwriter_write(struct logwriter *w, const char *line, size_t len)
{
	if (!w->failed && w->fd < 0)
		w->failed = !start(w);
	if (!w->failed && len <= LOGWRITER_LINE_BYTES &&
	    (!w->lost || put_lost(w)) && put(w, line, len))
		return true;
	w->lost++;
	return false;
}

void logwriter_close(struct logwriter *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	w->failed = true;
}
