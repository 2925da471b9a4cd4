# Talks to a guest over the socket of its serial port: talk.pl SOCKET QUESTION ...
# A question is WHAT or WHAT=ARGUMENT; it is put again until it is answered.
use strict;
use warnings;
use IO::Socket::UNIX;

my ($path, @questions) = @ARGV;
my $guest = IO::Socket::UNIX->new(Peer => $path) or die "cannot connect to $path: $!\n";
my ($id, $text, $ready) = ($$ * 1000, "", "");
vec($ready, fileno($guest), 1) = 1;
for my $question (@questions) {
    my ($what, $argument) = split /=/, $question, 2;
    $argument = "" unless defined $argument;
    $id++;
    my ($pause, $again) = (2, 0);
    my $answer;
    until (defined $answer) {
        if (time >= $again) {
            syswrite $guest, qq(\n{"id":$id,"do":"$what","arg":"$argument"}\n);
            $again = time + $pause;
            $pause *= 2 if $pause < 32;
        }
        my $left = $again - time;
        next unless select(my $r = $ready, undef, undef, $left > 0 ? $left : 0);
        sysread($guest, $text, 4096, length $text) or die "the console of $path has ended\n";
        $answer = $1 if $text =~ s/^.*?\@l2 (\{"re":$id\b[^\n]*)\n//s;
    }
    print "$what $answer\n";
}
