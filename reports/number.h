/* Numbers as text for readers. */
#ifndef FERDAG_REPORTS_NUMBER_H
#define FERDAG_REPORTS_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

enum { NUMBER_SIZE = 64 }; /* bytes that hold any formatted number */

/* Writes x with `digits` (0-12) decimals: "71.74", "-0.52", with `sign` "+1.20" too, with `commas`
 * "28,709". A number that rounds to zero has no sign. From 1e15 on: "1.2e+20". Not finite: "". */
void number_format(char text[NUMBER_SIZE], double x, int digits, bool sign, bool commas);

/* x rounded to `digits` decimals, as number_format shows it. */
double number_round(double x, int digits);

/* A duration: "0.42 s", "12.3 s", "4 min 10 s", "2 h 05 min". */
void number_seconds(char text[NUMBER_SIZE], double seconds);

/* An amount of memory: "512 KiB", "1.4 GiB". */
void number_bytes(char text[NUMBER_SIZE], double bytes);

#endif
