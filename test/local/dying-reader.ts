/** Room: tests of local. A reader's thread that dies before it has read anything. */
process.exit(3);
