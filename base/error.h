/* One error, with its place and its cause, in words for the person who must mend it.
 *
 * A function that can fail returns 0 or a negative errno value and fills a struct error that
 * its caller owns. The innermost function that knows the place writes the text; callers pass
 * it on, or put their own place in front with error_prefix. */
#ifndef FERDAG_BASE_ERROR_H
#define FERDAG_BASE_ERROR_H

struct error {
    char text[1024]; /* one line of UTF-8, no newline at its end; empty while nothing went wrong */
};

/* Fills err (may be NULL) with a printf-style text and returns -code, so that a failing
 * function ends with `return error_set(err, EINVAL, "...")`. Newlines and control bytes in
 * the text become spaces, bytes that are no UTF-8 question marks. code is a positive errno value.
 */
int error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, with ": " and the text of errno value `code` at the end. */
int error_errno(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__ /* it sees one file at a time: tell it that these never return 0 */
#define ERROR_NEGATIVE(code)        (__builtin_constant_p(code) && (code) > 0 ? -(code) : -1)
#define error_set(err, code, ...)   (error_set(err, code, __VA_ARGS__), ERROR_NEGATIVE(code))
#define error_errno(err, code, ...) (error_errno(err, code, __VA_ARGS__), ERROR_NEGATIVE(code))
#endif

/* Puts a printf-style text and ": " in front of what err already says. */
void error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
