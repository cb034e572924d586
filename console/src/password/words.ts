// What people choose first, most common first: passwords, names, teams, words of every day. The guesser below tries them
// with capitals, digits at the end, letters turned into digits, backwards and one after the other. The server has a list
// of its own and decides; this one only feeds the meter.
export const WORDS: readonly string[] = `
password 123456 qwerty admin welcome letmein monkey dragon football iloveyou sunshine master shadow princess baseball abc
login hello freedom whatever trustno superman batman starwars pokemon michael jordan jennifer jessica ashley charlie
daniel andrew thomas robert matthew joshua anthony william david james john joseph george richard christopher nicole
michelle amanda hannah samantha sarah elizabeth lauren megan emily emma olivia sophia isabella mia charlotte amelia
lucas liam noah ethan mason logan oliver jacob benjamin alexander sebastian maria anna laura julia peter martin stefan
thomas christian andreas marcus philip simon martina sandra claudia sabine nicolas pierre antoine camille chloe jean
carlos miguel jose juan luis antonio manuel francisco pedro diego alejandro fernando sofia lucia carmen elena
test guest root user changeme default secret access temp demo sample system server database backup network office company
computer internet laptop windows linux apple google facebook twitter instagram youtube amazon microsoft samsung android
bitcoin ethereum crypto blockchain wallet token agent agentauri solana polygon trader money dollar million rich lucky
love lover baby babygirl angel honey sweet sweetheart darling beautiful pretty cutie sexy kiss heart forever always
friend friends family mother father mom dad sister brother daughter son wife husband girl boy man woman king queen
summer winter spring autumn monday tuesday wednesday thursday friday saturday sunday january february march april may june
july august september october november december morning evening night midnight today tomorrow
red blue green yellow orange purple black white silver golden gold pink brown rainbow diamond crystal
cat dog horse tiger lion bear wolf eagle falcon hawk dolphin shark snake spider butterfly bunny rabbit chicken turtle
elephant panda kitten puppy monkey fish bird mouse cow pig duck fox phoenix unicorn dragonfly panther cobra raven
house home garden kitchen window door table chair room street road river mountain ocean beach island forest flower tree
star moon sun sky cloud rain snow storm thunder lightning fire water earth wind ice stone rock metal iron steel
music guitar piano drums rock metal jazz dance party movie game gamer player hunter killer ninja pirate wizard magic
ranger soldier warrior knight legend hero champion winner boss chief captain doctor nurse teacher student school college
soccer hockey tennis golf basketball volleyball racing boxing liverpool arsenal chelsea barcelona madrid juventus bayern
manchester united city real lakers yankees cowboys steelers packers raiders eagles giants dodgers bulls celtics
ferrari porsche mercedes bmw audi honda toyota yamaha harley corvette mustang camaro ford chevy nissan subaru
london paris berlin rome moscow tokyo newyork york dallas austin boston chicago denver texas florida california canada
america england france germany spain italy russia china india brazil mexico australia africa europe asia world
coffee chocolate cookie cheese pizza banana apple cherry peach lemon strawberry pepper sugar candy butter bread beer wine
happy smile laugh funny crazy cool nice good great best super mega ultra power energy force speed turbo
peace hope faith grace jesus christ god lord heaven bible church angelina destiny spirit soul dream dreams
matrix naruto pikachu mario zelda minecraft fortnite roblox warcraft diablo doom quake halo batgirl spiderman ironman
hulk thor avengers marvel gandalf frodo hobbit potter hogwarts yoda vader skywalker trinity neo morpheus
correct horse battery staple quick brown lazy jumps over the and you are not for with this that have from they will
one two three four five six seven eight nine ten first second third last next new old big small little long short
open close start stop enter exit back front left right up down in out on off yes no maybe please thanks sorry
work job life time day week month year hour minute second number word name letter page book story song picture
people person child children kid kids group team club place point line side end part case fact hand eye head face body
foot leg arm finger blood bone brain mind think know see look find get make take give come go run walk jump fly swim
read write speak talk say tell ask answer call help need want like hate live die born kill fight win lose buy sell pay
qwertyuiop asdfgh asdfghjkl zxcvbn zxcvbnm qazwsx azerty qwertz abcdef passwort motdepasse contrasena senha parola haslo
`.trim().split(/\s+/);
