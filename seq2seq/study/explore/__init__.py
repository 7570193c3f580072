"""A page on this machine on which one types a sentence and sees what every system makes of it."""
