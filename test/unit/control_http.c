/* SPDX-License-Identifier: MIT */
/* test/unit/control_http.c - what the control socket takes for a request. */
#include "control/http.h"

#include <stdlib.h>
#include <string.h>

#include "control/api.h"
#include "test.h"

#define HOST "Host: x\r\n"

static const struct {
	const char *text;
	int want;
} requests[] = {
	{ "GET /v1 HTTP/1.1\r\n" HOST "\r\n", 0 },
	{ "GET /v1 HTTP/1.1\n" HOST "\n", 0 },
	{ "GET http://localhost/v1 HTTP/1.1\r\n" HOST "\r\n", 0 },
	{ "GET /v1?a=b HTTP/1.0\r\n\r\n", 0 },
	{ "POST /v1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 0 },
	{ "POST /v1 HTTP/1.1\r\n" HOST "content-length:\t2 \r\n\r\n{}", 0 },
	{ "", HTTP_MORE },
	{ "POST /v1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n{}",
	  HTTP_MORE },
	{ "\r\n\r\n", 400 },
	{ "GET\r\n\r\n", 400 },
	{ "GET v1 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET http://localhost HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /v1\r\n\r\n", 400 },
	{ "GET /v1 HTTP/1.1 \r\n" HOST "\r\n", 400 },
	{ "GET /v1 HTTP/1.1\r\n\r\n", 400 },
	{ "GET /v1 HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
	{ "GET /v1 HTTP/1.1\r\n" HOST " folded\r\n\r\n", 400 },
	{ "GET /v1 HTTP/1.1\r\n" HOST "no field\r\n\r\n", 400 },
	{ "GET /v1 HTTP/1.1\r\n" HOST "Name : x\r\n\r\n", 400 },
	{ "GET /v1 HTTP/1.1\r\n" HOST ": x\r\n\r\n", 400 },
	{ "GET /v1 HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400 },
	{ "GET /v1 HTTP/1.1\r\n" HOST "Content-Length: 1x\r\n\r\n", 400 },
	{ "GET /v1 HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400 },
	{ "GET /v1 HTTP/1.1\r\n" HOST "Content-Length: 0\r\n"
	  "Content-Length: 0\r\n\r\n", 400 },
	{ "GET /v1 HTTP/1.1\r\n" HOST
	  "Content-Length: 99999999999999999999\r\n\r\n", 400 },
	{ "GET /v1 HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n", 413 },
	{ "GET /v1 HTTP/1.1\r\n" HOST
	  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501 },
	{ "GET /v1 HTTP/2.0\r\n" HOST "\r\n", 505 },
};

/* Cut off anywhere, a whole request is one of which more is to come. */
static void check_cut(const char *text)
{
	struct http_request r;

	for (size_t n = 0; n < strlen(text); n++)
		CHECK(text, http_request_parse(text, n, &r) == HTTP_MORE);
}

static void check_requests(void)
{
	struct http_request r;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const char *text = requests[i].text;
		const int rc = http_request_parse(text, strlen(text), &r);

		CHECK(text, rc == requests[i].want);
		if (rc == 0)
			check_cut(text);
		if (rc == 0)
			CHECK(text, http_is(r.path, "/v1"));
	}
	CHECK("NUL", http_request_parse("GET /v1\0 HTTP/1.1\r\n", 19, &r) ==
		     400);
}

static void check_long(void)
{
	static char text[HTTP_HEAD_MAX + 64];
	struct http_request r;
	const size_t start = (size_t)sprintf(text, "GET /v1 HTTP/1.0\r\nA: ");

	memset(text + start, 'a', sizeof(text) - start);
	CHECK("not yet", http_request_parse(text, HTTP_HEAD_MAX - 1, &r) ==
			 HTTP_MORE);
	CHECK("too long", http_request_parse(text, HTTP_HEAD_MAX, &r) == 431);
	memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	CHECK("just", http_request_parse(text, sizeof(text), &r) == 0);
}

static void check_round_trip(void)
{
	struct http_response a;
	struct http_request r;
	size_t len;
	char *text = http_request_make("POST", "/v1/exec", "other", "{\"a\":1}",
				       &len);

	CHECK("request", text && http_request_parse(text, len, &r) == 0 &&
	      http_is(r.method, "POST") && http_is(r.path, "/v1/exec") &&
	      http_is(r.upgrade, "other") && http_is(r.body, "{\"a\":1}"));
	free(text);
	text = http_response_make(404, "{}", true, &len);
	CHECK("response", text && http_response_parse(text, len, 2, &a) == 0 &&
	      a.status == 404 && http_is(a.body, "{}") && a.bytes == len);
	CHECK("its body is too long",
	      text && http_response_parse(text, len, 1, &a) == 400);
	free(text);
	text = http_switch_make("other", &len);
	CHECK("switch", text && http_response_parse(text, len, 0, &a) == 0 &&
	      a.status == 101 && a.bytes == len);
	free(text);
}

static void check_calls(void)
{
	json_t *index = api_index(), *problem = api_problem(409, "why");
	int status;

	for (unsigned op = API_NONE + 1; op < API_MAX; op++) {
		const struct api_call *c = api_call((enum api_op)op);
		const struct http_text m = { c->method, strlen(c->method) };
		const struct http_text p = { c->path, strlen(c->path) };

		CHECK(c->path, api_find(m, p, &status) == op);
		CHECK(c->path, api_find(p, p, &status) == API_NONE &&
			       status == 405);
		CHECK(c->path, api_find(m, m, &status) == API_NONE &&
			       status == 404);
	}
	CHECK("all", json_array_size(json_object_get(index, "calls")) ==
		     API_MAX - 1);
	CHECK("detail", !strcmp(api_detail(problem), "why"));
	CHECK("none", api_detail(NULL) && *api_detail(NULL));
	json_decref(index);
	json_decref(problem);
}

void test_control_http(void);
void test_control_http(void)
{
	check_requests();
	check_long();
	check_round_trip();
	check_calls();
}
