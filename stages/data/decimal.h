/* Numbers as text, with the same results as printf and strtod but faster: a model of a support
 * vector machine is 100 MB of text. */
#ifndef FERDAG_STAGES_DATA_DECIMAL_H
#define FERDAG_STAGES_DATA_DECIMAL_H

enum { DECIMAL_SIZE = 32 };

/* Writes a finite float as "%.9g", which is enough to read the same float back, without a
 * terminating 0 byte. Returns the end of the text. */
char *decimal_write(char text[DECIMAL_SIZE], float value);

/* As strtod in the C locale; *end is the end of the number, or text if there is none. */
double decimal_read(const char *text, char **end);

#endif
