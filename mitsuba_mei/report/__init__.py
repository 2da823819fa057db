"""Results and arrays as pictures, tables and sentences."""
