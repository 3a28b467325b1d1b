/* Numbers as text, faster than printf and strtod and with the same result: models of support vector
 * machines are a hundred megabytes of them. */
#ifndef FERDAG_STAGES_DATA_DECIMAL_H
#define FERDAG_STAGES_DATA_DECIMAL_H

enum { DECIMAL_SIZE = 32 };

/* Writes a finite float as "%.9g" does, enough digits to get the very float back, without a zero at
 * the end. Returns the end. */
char *decimal_write(char text[DECIMAL_SIZE], float value);

/* As strtod in the C locale: *end is after the number, or text if there is none. */
double decimal_read(const char *text, char **end);

#endif
