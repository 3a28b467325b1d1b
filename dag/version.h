/* Which ferdag this is. It is part of no key: results of another version are still valid as long as
 * their kinds' versions are the same. */
#ifndef FERDAG_DAG_VERSION_H
#define FERDAG_DAG_VERSION_H

extern const char version_number[]; /* "0.9.0", from the file VERSION */
extern const char version_commit[]; /* "abcdef123456", with "+changes" if files differed from it; ""
                                       if it was not built from a git repository */
extern const char version_date[];   /* of that commit, or of the file VERSION: "2026-11-30" */

#endif
