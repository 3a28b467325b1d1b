/* One error: its place and its cause, as a line for the user.
 *
 * A function that can fail returns 0 or a negative errno value and fills a struct error that
 * its caller owns. The innermost function that knows the place writes the text; callers return it
 * as it is or put their own place in front with error_prefix. */
#ifndef FERDAG_BASE_ERROR_H
#define FERDAG_BASE_ERROR_H

struct error {
    char text[1024]; /* one line of UTF-8 without a newline; empty: no error */
};

/* Fills err (may be NULL) with a printf-style text and returns -code, so that a failing
 * function ends with `return error_set(err, EINVAL, "...")`. Newlines and control bytes in
 * the text become spaces, and bytes that are not UTF-8 become question marks. code is a positive
 * errno value. */
int error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, with ": " and strerror(code) at the end. */
int error_errno(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__ /* it analyses one file at a time: these never return 0 */
#define ERROR_NEGATIVE(code)        (__builtin_constant_p(code) && (code) > 0 ? -(code) : -1)
#define error_set(err, code, ...)   (error_set(err, code, __VA_ARGS__), ERROR_NEGATIVE(code))
#define error_errno(err, code, ...) (error_errno(err, code, __VA_ARGS__), ERROR_NEGATIVE(code))
#endif

/* Puts a printf-style text and ": " in front of err's text. */
void error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
